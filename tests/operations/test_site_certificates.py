"""Signatures by a certificate of the site: by whom it was issued, to whom, and until when."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from eegdiffusion.commands.key import command as key_command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry import signature, signing_keys
from eegdiffusion.operations.registry.signing_keys import SIGNING_VARIABLE, TRUSTED_VARIABLE
from tests.site_authority import REGISTRY, authority

ROOT = authority()
BELOW = ROOT.issue("CN=Department,O=Hospital", days=(-50, 500), issues=True, signs=False)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of a model, on a machine that trusts the site's authority for the registry."""
    monkeypatch.setenv(TRUSTED_VARIABLE, str(tmp_path / "trusted"))
    monkeypatch.delenv(SIGNING_VARIABLE)
    signing_keys.trust_authority(ROOT.write_certificate(tmp_path / "root.crt"), "hospital", REGISTRY)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.safetensors").write_bytes(b"weights")
    return tmp_path


def _key(site, issued, monkeypatch):
    monkeypatch.setenv(SIGNING_VARIABLE, str(issued.write(site / "site.pem")))
    return signing_keys.signing_key()


def _sign_any(site, issued):
    """Sign with a certificate that this program would not sign with, as another program may."""
    path = issued.write(site / "any.pem")
    key = signing_keys.SigningKey("any", path, b"", issued.certificate)
    signature.sign_folder(site / "model", site / "model.sig", key)


def _verify(site):
    return signature.verify_folder(site / "model", site / "model.sig", signing_keys.trusted_signers())


@pytest.mark.parametrize("issuer", [ROOT, BELOW], ids=["by the root", "by one below it"])
def test_what_the_subject_signs_by_a_certificate_of_the_authority_verifies(site, monkeypatch, issuer):
    key = _key(site, issuer.issue(), monkeypatch)
    signature.sign_folder(site / "model", site / "model.sig", key)
    assert str(_verify(site)) == f"hospital ({REGISTRY})"
    material = json.loads((site / "model.sig").read_text())["verificationMaterial"]
    assert "publicKey" not in material
    (site / "model/weights.safetensors").write_bytes(b"others!")
    with pytest.raises(InputError, match=r"altered: weights\.safetensors"):
        _verify(site)


STRANGER = authority()
"""An authority of the same name as the site's, with another key."""

LEAF = ROOT.issue("CN=Nurse,O=Hospital")

REFUSED = {
    "another root": (
        STRANGER.issue(),
        r"of CN=EEG registry,O=Hospital by CN=Authority,O=Hospital, does not hold by an",
    ),
    "another root's department": (
        STRANGER.issue("CN=Department,O=Hospital", issues=True, signs=False).issue(),
        "hospital: (unable to get local issuer certificate|certificate signature failure)",
    ),
    "expired": (
        ROOT.issue(days=(-30, -1)),
        r"hospital: certificate has expired, on \d{4}-\d\d-\d\d, of CN=EEG registry",
    ),
    "not yet valid": (ROOT.issue(days=(1, 30)), "hospital: certificate is not yet valid .*, of CN=EEG registry"),
    "a department that has expired": (
        ROOT.issue("CN=Department,O=Hospital", (-30, -1), issues=True, signs=False).issue(),
        r"hospital: certificate has expired, on .*, of CN=Department",
    ),
    "another subject": (
        LEAF,
        r"it is signed by CN=Nurse,O=Hospital, whom no authority is trusted for \(trusted: hospital \(CN=EEG registry",
    ),
    "issued by who may not issue": (LEAF.issue(), "hospital: (invalid CA certificate|unable to get local issuer)"),
    "not for signing": (ROOT.issue(signs=False), "its signature does not hold .*cannot be used for signing"),
    "its own root": (authority(REGISTRY), "hospital: self.signed certificate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_certificate_is_refused_by_its_fault(site, name):
    issued, reason = REFUSED[name]
    _sign_any(site, issued)
    with pytest.raises(InputError, match=reason):
        _verify(site)


def test_a_signature_by_another_key_beside_an_honest_certificate_is_refused(site, monkeypatch):
    honest = ROOT.issue()
    signature.sign_folder(site / "model", site / "model.sig", _key(site, honest, monkeypatch))
    (site / "model.sig").rename(site / "honest.sig")
    _sign_any(site, STRANGER.issue())
    forged, carried = (json.loads((site / name).read_text()) for name in ("model.sig", "honest.sig"))
    forged["verificationMaterial"] = carried["verificationMaterial"]
    (site / "model.sig").write_text(json.dumps(forged))
    with pytest.raises(InputError, match=r"its signature is not by the key hospital .* or was altered"):
        _verify(site)


@pytest.mark.parametrize(
    ("certificates", "reason"),
    [
        ([], "must carry 1 to 10 certificates"),
        ([{"rawBytes": "AAAA"}] * 11, "there are 11"),
        ([{"rawBytes": "AAAA"}], "must carry 1 to 10 certificates"),
        ([{"rawBytes": "not base64"}], "must carry 1 to 10 certificates"),
        ("x", "must carry 1 to 10 certificates"),
    ],
)
def test_a_signature_with_crafted_certificates_is_refused(site, monkeypatch, certificates, reason):
    signature.sign_folder(site / "model", site / "model.sig", _key(site, ROOT.issue(), monkeypatch))
    document = json.loads((site / "model.sig").read_text())
    document["verificationMaterial"]["x509CertificateChain"] = {"certificates": certificates}
    (site / "model.sig").write_text(json.dumps(document))
    with pytest.raises(InputError, match=reason):
        _verify(site)


@pytest.mark.parametrize(
    "content",
    [
        '{"verificationMaterial": ' + "[" * 100_000,
        '{"verificationMaterial": "x"}',
        '{"verificationMaterial": {"publicKey": []}}',
        " " * ((1 << 24) + 1),
        "[]",
    ],
    ids=["nested without end", "a text", "no key", "large", "a list"],
)
def test_a_crafted_signature_is_refused(site, content):
    (site / "model.sig").write_text(content)
    with pytest.raises(InputError, match=r"its signature model\.sig (cannot be read|must have)"):
        _verify(site)


def test_a_certificate_that_cannot_sign_is_refused_before_anything_is_signed(site, monkeypatch):
    rsa_key = rsa.generate_private_key(65537, 2048)
    for issued, reason in [
        (ROOT.issue(days=(-30, -1)), "certificate: that of CN=EEG registry,O=Hospital has expired, on "),
        (ROOT.issue(days=(1, 30)), "certificate: that of .* is not valid before "),
        (ROOT.issue(signs=False), "certificate: must be for signing"),
        (
            ROOT.issue().with_certificate_of(LEAF),
            r"certificate: the first must be the key's own \(found that of CN=Nurse",
        ),
        (ROOT.issue(key=rsa_key), "must be an elliptic-curve key"),
    ]:
        with pytest.raises(InputError, match=rf"site\.pem: {reason}"):
            _key(site, issued, monkeypatch)
    (site / "site.pem").write_bytes((site / "site.pem").read_bytes().replace(b"MI", b"??"))
    with pytest.raises(InputError, match=r"site\.pem: must be a private key in PEM"):
        signing_keys.signing_key()


def test_an_authority_without_a_subject_vouches_for_nobody(site):
    (site / "trusted/hospital.subject").unlink()
    with pytest.raises(InputError, match=r"hospital\.subject: must say whose signatures count"):
        signing_keys.trusted_signers()
    for text in ("", "EEG registry", "CN="):
        (site / "trusted/hospital.subject").write_text(text)
        with pytest.raises(InputError, match=r"hospital\.subject: must "):
            signing_keys.trusted_signers()
    (site / "trusted/hospital.subject").write_text(REGISTRY)
    (site / "trusted/hospital.subject").chmod(0o666)
    with pytest.raises(InputError, match=r"hospital\.subject: mode: must not let everybody write"):
        signing_keys.trusted_signers()


def test_authorities_are_trusted_and_forgotten_by_command(site, monkeypatch, capsys):
    def run(*words):
        key_command.main(list(words), standalone_mode=False)
        return capsys.readouterr()

    STRANGER.write_certificate(site / "other.crt")
    with pytest.raises(InputError, match="--subject: must say whose signatures count"):
        run("trust", str(site / "other.crt"))
    with pytest.raises(InputError, match="--subject: must be the subject of a certificate"):
        run("trust", str(site / "other.crt"), "--subject", "EEG registry")
    with pytest.raises(InputError, match="is there already"):
        run("trust", str(site / "other.crt"), "--subject", REGISTRY, "--name", "hospital")
    leaf = LEAF.write_certificate(site / "leaf.crt")
    with pytest.raises(InputError, match="must hold the root certificate of an authority"):
        run("trust", str(leaf), "--subject", REGISTRY)
    public = site / "key.pub"
    public.write_bytes(signing_keys.create_key("lab", site / "lab").public)
    with pytest.raises(InputError, match="--subject: must not be given with a public key"):
        run("trust", str(public), "--subject", REGISTRY)
    assert f"is trusted to say who is {REGISTRY}" in run("trust", str(site / "other.crt"), "--subject", REGISTRY).out
    _key(site, ROOT.issue(), monkeypatch)
    said = run("show").err
    assert f"  certificate of {REGISTRY}, until 2" in said
    assert f"authority of {REGISTRY}  hospital" in said
    _sign_any(site, STRANGER.issue())
    assert _verify(site).name == "other"
    assert "other.crt: is trusted no more" in run("forget", "other").out
    assert not list(site.glob("trusted/other.*"))
    with pytest.raises(InputError, match="does not hold by an authority"):
        _verify(site)
