"""Keys that registered models are signed with, and those that are trusted: ``eeg key``."""

from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Group
from eegdiffusion.core.runtime.printable import say


@click.group("key", cls=Group)
def command() -> None:
    """Make and exchange the keys that registered models are signed with.

    `eeg register` signs each version; what loads or promotes one refuses versions that no trusted key has signed. The
    private key stays on the machine that registers. The public key goes to those that use the models, by a way that
    nobody else can write to: not by the MLflow server.
    """


@command.command("create", clone=False)
@click.argument("name")
def create(name: str) -> None:
    """Make the signing key of your site, called NAME, and trust it."""
    from eegdiffusion.operations.registry.signing_keys import create_key

    key = create_key(name)
    say(f"{key.path}: the private key; keep a copy where nobody else reads it")
    say(f"SHA256:{key.fingerprint}")
    say("`eeg key show > FILE` writes the public key; `eeg key trust FILE` on the machines that use the models")


@command.command("show", clone=False)
def show() -> None:
    """Print the public key of this machine, and on stderr whom it trusts, with fingerprints of keys."""
    from eegdiffusion.core.runtime.errors import InputError
    from eegdiffusion.operations.registry.certificates import Authority, named
    from eegdiffusion.operations.registry.signing_keys import find_signing_key, trusted_folder, trusted_signers

    key = find_signing_key()
    if key:
        click.echo(f"signs as {key.name}, with {key.path}", err=True)
        click.echo(f"  SHA256:{key.fingerprint}", err=True)
        if key.certificate is not None:
            until = f"{key.certificate.not_valid_after_utc:%Y-%m-%d}"
            click.echo(f"  certificate of {named(key.certificate.subject)}, until {until}", err=True)
    trusted = trusted_signers()
    click.echo(f"trusts {len(trusted)} keys of {trusted_folder()}", err=True)
    for other in trusted:
        of = "authority of " + named(other.subject) if isinstance(other, Authority) else f"SHA256:{other.fingerprint}"
        click.echo(f"  {of}  {other.name}", err=True)
    if key is None:
        raise InputError("there is no signing key here yet; `eeg key create NAME` makes one")
    click.echo(key.public.decode(), nl=False)


@command.command("trust", clone=False)
@click.argument("file", type=PATH)
@click.option("--name", help="Whose key it is, for messages (default: the file's name).")
@click.option(
    "--subject", help="Of an authority's certificate: whose signatures count, e.g. 'CN=EEG registry,O=Hospital'."
)
def trust(file: Path, name: str | None, subject: str | None) -> None:
    """Trust the public key in FILE: models that it has signed are loaded and promoted.

    Compare the fingerprint that is printed with the one that `eeg key show` prints where it was made.

    FILE can be the root certificate of your site's authority: what --subject signs with a certificate of that authority
    is loaded then.
    """
    from eegdiffusion.core.runtime.errors import InputError
    from eegdiffusion.operations.registry.certificates import has_certificate, named
    from eegdiffusion.operations.registry.signing_keys import trust_authority, trust_key

    if has_certificate(file):
        if subject is None:
            rule = "must say whose signatures count, as an authority issues certificates to many"
            raise InputError(f"--subject: {rule} ({file} is a certificate)")
        authority = trust_authority(file, name or file.stem, subject)
        say(f"{authority.path}: is trusted to say who is {named(authority.subject)}")
        return
    if subject is not None:
        raise InputError(f"--subject: must not be given with a public key ({file} is no certificate)")
    key = trust_key(file, name or file.stem)
    say(f"{key.path}: is trusted", f"SHA256:{key.fingerprint}")


@command.command("forget", clone=False)
@click.argument("name")
def forget(name: str) -> None:
    """Trust the key or authority called NAME no more: what it has signed is refused from now on."""
    from eegdiffusion.operations.registry.signing_keys import forget_key

    say(f"{forget_key(name)}: is trusted no more")


@command.command("where", clone=False)
def where() -> None:
    """Print, as variables for a shell, where the keys lie; a signing key is made if there is none."""
    import shlex

    from eegdiffusion.operations.registry.signing_keys import (
        SIGNING_VARIABLE,
        TRUSTED_VARIABLE,
        signing_key,
        trusted_folder,
    )

    key = signing_key()
    say(f"{SIGNING_VARIABLE}={shlex.quote(str(key.path.absolute()))}")
    say(f"{TRUSTED_VARIABLE}={shlex.quote(str(trusted_folder().absolute()))}")
