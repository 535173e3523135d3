"""Names that are none, and files of settings that ask for too much."""

HOSTILE = [
    "a$(touch x)",
    "a`touch x`",
    "a;touch x",
    "a\ntouch x",
    "a|touch x",
    "a&touch x&",
    "a>x",
    "a' 'b",
    'a" "b',
    "../a",
    "/etc/a",
    "..",
    "-a",
    "--replace",
    "${matrix.seeds}",
    "{{ params.revision }}",
    "a@b",
    "a b",
    "a\\b",
    "a.sh",
    "a\x1b[2J",
    "a\u202egpj",
    "ä",
    "",
    "a" * 101,
]
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12))])
MERGES = "\n".join(
    ["a0: &a0 {x: 1}", *(f"a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 9)}]}}" for k in range(1, 12))]
)
TOO_MUCH = {
    "anchors in anchors": BOMB,
    "merges of merges": MERGES,
    "a list within itself": "a: &a [*a]",
    "a mapping within itself": "a: &a {b: *a}",
    "a key within itself": "a: &a {? [*a] : 1}",
    "brackets": "a: " + "[" * 20_000,
    "closed brackets": "a: " + "[" * 5_000 + "]" * 5_000,
    "length": "a: [" + "1," * 600_000 + "1]",
}
