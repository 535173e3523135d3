"""``python -m eegdiffusion.commands`` is ``eeg``, where the script is not installed or another clone's would run."""

from eegdiffusion.commands.app import main

main()
