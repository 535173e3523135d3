"""What a person types: the command ``eeg``."""

from eegdiffusion.core.runtime.threads import set_thread_defaults

set_thread_defaults()
