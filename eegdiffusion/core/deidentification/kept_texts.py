"""Which texts of a recording may stay: those that say what was recorded, and not who."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from eegdiffusion.core.recordings.patient_identity import words_of
from eegdiffusion.core.recordings.units import microvolts_per_unit

_WORDS_OF_LABELS = """
EEG POL REF LE LER AR AVG AVE AVERAGE CAR LINKED COM COMMON ORG EOG HEOG VEOG ECG EKG EMG CHIN LOC ROC LEG LLEG
RLEG LAT RAT TIB ARM RESP RESPIRATION BREATH FLOW AIRFLOW NASAL ORAL PRESSURE THORAX THOR ABDOMEN ABDO CHEST
BELT SNORE CPAP CO2 ETCO2 TCO2 PLETH PPG SPO2 SAO2 OSAT SAT PULSE RATE HEART HR PR RR BP IBI TRIG TRIGGER STATUS
STI STIM TTL DC AUX MISC PHOTIC PHOTO MARK MARKER EVENT EVENTS ANNOTATIONS EDF BDF TEMP RECTAL BODY POSITION POS
LIGHT ACC ACCEL GYRO LEFT RIGHT UPPER LOWER HORIZONTAL VERTICAL HORIZ VERT GND GROUND CMS DRL BIP EXG GSR EDA
BURSTS SUPPR MIC SOUND LUM MEG MAG GRAD NC CAL BATTERY SYNC DIN NOSE
"""
_CHANNEL_WORDS = frozenset(_WORDS_OF_LABELS.split())
_SITE = re.compile(r"[A-Z]{1,3}'?\d{1,3}'?[A-Z]?|[A-Z]{0,3}Z|[A-Z]|\d{1,3}")

_NAMES_OF_UNITS = """
uV mV V nV µV % bpm BPM mmHg cmH2O degC degF C F K Hz s ms m m/s^2 g G dB lx lux L L/min l/min uS S Ohm kOhm
BOOLEAN Boolean n/a NA a.u. au AU T fT pT rad deg
"""
_UNITS = frozenset(["", *_NAMES_OF_UNITS.split()])

_TRANSDUCER = re.compile(
    r"(?:active|passive|dry|wet|disposable|gel|cup|disc|disk|scalp|needle|ag[ -/]*agcl|silver|gold|tin|electrodes?"
    r"|sensor|pulse|oximeter|thermistor|belt|cannula|triggers? and status|[ ,/-])+",
    re.IGNORECASE,
)
_PREFILTER = re.compile(
    r"(?:(?:HP|LP|BP|N|BS|DC|TC|NOTCH|NO FILTER|NONE|OFF|FIRST ORDER)[:= ]*"
    r"|[\d.,]+ *(?:k?Hz|s|ms|dB(?:/oct)?)?|[ ;,-])*",
    re.IGNORECASE,
)
_ANNOTATION = re.compile(
    r"|\d{1,5}|[ST] *\d{1,5}|R *\d{1,5}|Stimulus/S *\d+|Response/R *\d+|New Segment/?"
    r"|BAD(_ACQ_SKIP| boundary)?|EDGE boundary"
    r"|sleep stage (?:W|N?[1-4]|N|R|M|\?)|lights? (?:on|off)|eyes? ?(?:open(?:ed)?|closed?)"
    r"|(?:recording|rec) (?:starts?|ends?)|seizure(?: (?:onset|offset|start|end))?"
    r"|spsw|gped|pled|eyem|artf|bckg|seiz|limb movement|arousal|(?:obstructive|central|mixed) apnea|hypopnea"
    r"|(?:hyperventilation|hv|photic)(?: stim\w*)?(?: (?:on|off|start|end))?(?: \d+ ?hz)?"
    r"|impedance(?: check)?|calibration|boundary|sync status",
    re.IGNORECASE,
)
"""Standard texts of EDF+ (Kemp and Olivan 2003), codes of events, and what recorders write by themselves."""


@dataclass
class KeptTexts:
    """What may stay in a recording; all other text goes, or becomes a code.

    Attributes:
        allowed: further texts that the user lets stay.
        codes: code of each annotation that does not stay; grows.
        giveaways: words of the recording's header and path, which stay nowhere.
    """

    allowed: Collection[str] = ()
    codes: dict[str, str] = field(default_factory=dict)
    giveaways: frozenset[str] = frozenset()

    def _gives_away(self, text: str) -> bool:
        return bool(words_of(text) & self.giveaways)

    def label(self, text: str, number: int) -> str:
        """Return the label of a channel, or ``CH<number>`` where it may name somebody."""
        parts = [part for part in re.split(r"[\s:./+()_-]+", text.upper()) if part]
        technical = all(part in _CHANNEL_WORDS or _SITE.fullmatch(part) for part in parts)
        return text if text in self.allowed or (technical and not self._gives_away(text)) else f"CH{number}"

    def unit(self, text: str) -> str:
        """Return a channel's unit, or nothing where it is none that is known."""
        return text if text in _UNITS or text in self.allowed or microvolts_per_unit(text) is not None else ""

    def transducer(self, text: str) -> str:
        """Return the kind of a sensor, or nothing where it may be another text."""
        return text if _TRANSDUCER.fullmatch(text) or text in self.allowed else ""

    def prefilter(self, text: str) -> str:
        """Return a filter, or nothing where it may be another text."""
        return text if _PREFILTER.fullmatch(text) or text in self.allowed else ""

    def annotation(self, text: str) -> str:
        """Return an annotation, or the code that stands for it."""
        stays = text in self.allowed or (_ANNOTATION.fullmatch(text.strip()) and not self._gives_away(text))
        return text if stays else self.codes.setdefault(text, f"text {len(self.codes) + 1}")
