"""Names of the ways to adapt an encoder to a subject, and what they mean; needs no PyTorch."""

UNSEEN, SUBJECT_LAYER, RIDGE, ALONE = "unseen", "subject layer", "ridge", "alone"

MEANING = {
    UNSEEN: "the model as it stands",
    SUBJECT_LAYER: "an input layer of the subject's own, all else frozen",
    RIDGE: "ridge regression of the model's embeddings, shrunk towards the model as it stands",
    ALONE: "ridge regression of this subject's samples, without the model",
}
"""Methods, in the order of preference where two are equal."""
