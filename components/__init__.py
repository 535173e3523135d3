"""The pipeline's stages, a folder each: ``python -m components.<stage>``."""

from eegdiffusion.core.runtime.threads import set_thread_defaults

set_thread_defaults()
