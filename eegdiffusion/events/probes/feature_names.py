"""Names of the features that are probed, as tables and figures have them."""

PRETRAINED, UNTRAINED = "pretrained backbone", "untrained backbone"
BANDS, RAW = "band powers", "raw samples"
