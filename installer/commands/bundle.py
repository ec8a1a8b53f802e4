"""``nodestrap bundle``: everything a cluster needs in one file, for hosts without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from installer.commands._cluster_options import ClusterOptions, cluster_options, private_workdir, read_spec
from installer.errors import ArtifactError
from installer.options import current

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("bundle")
def command() -> None:
    """Make, check and show bundles, which `up --bundle FILE` uses instead of every other source."""


@command.command("create")
@cluster_options
@click.option("-o", "--output", type=_FILE, required=True, metavar="FILE", help="Where to write it.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="SYSTEM",
    help="A system that hosts run, as debian-12/amd64. Without any, the inventory's hosts are asked.",
)
@click.option("--key", type=_FILE, metavar="FILE", help="Sign with this SSH key (a .pub: through ssh-agent).")
@click.option("--image", "images", multiple=True, type=_FILE, metavar="FILE", help="Another image archive.")
@click.option("--no-packages", is_flag=True, help="Without OS packages: the hosts reach a repository.")
@click.option("--apt-source", "apt_sources", multiple=True, metavar="LINE", help="As in sources.list(5).")
def create(
    output: Path,
    targets: tuple[str, ...],
    key: Path | None,
    images: tuple[Path, ...],
    no_packages: bool,
    apt_sources: tuple[str, ...],
    **options: Any,
) -> int:
    """Gather what `up` would take for the inventory's hosts, and write it as one file.

    Release files and images come from where the inventory says, OS packages from this machine's mirror.
    """
    from installer.artifacts import silent
    from installer.bundle import archive
    from installer.bundle import targets as systems
    from installer.bundle.contents import Contents, check_images
    from installer.cluster.state import artifact_cache_dir

    check_images(images)
    wanted = [systems.parse(text) for text in targets]
    contents = Contents(artifact_cache_dir(), silent, not no_packages, apt_sources)
    if wanted:
        with private_workdir() as workdir:
            for host in read_spec(ClusterOptions(**options), workdir).hosts:
                for target in wanted:
                    contents.add(host, target)
    else:
        from installer.commands._run import run_on_inventory
        from installer.phases.connect import Connect
        from installer.phases.facts import Facts

        done = run_on_inventory((Connect(), Facts()), "bundle create", ClusterOptions(**options), check=True)
        if done.report.exit_code:
            failed = next(each for each in done.report.outcomes if each.reason)
            raise ArtifactError(
                f"what {failed.host} runs cannot be asked: {failed.reason}",
                fix="name the hosts' systems with --target",
            )
        for host in done.run.spec.hosts:
            assert host.facts is not None  # asked above
            contents.add(host, systems.of_facts(host.facts))
    manifest = contents.finish(images)
    archive.write(output, manifest, contents.files, key)
    _print(manifest, output)
    return 0


@command.command("verify")
@click.argument("bundle", type=_FILE)
@click.option(
    "--key", type=_FILE, metavar="FILE", help="The signer's public key, or an allowed_signers file."
)
def verify(bundle: Path, key: Path | None) -> int:
    """Read BUNDLE to its end: each file has its sha256, none is missing; with --key, the signature too."""
    from installer.bundle import archive

    manifest = archive.verify(bundle, key)
    if current().json:
        click.echo(json.dumps({"files": len(manifest.files), "signed_by": str(key) if key else None}))
    else:
        click.echo(
            f"{bundle}: {len(manifest.files)} files, all as listed" + (f"; signed by {key}" if key else "")
        )
    return 0


@command.command("show")
@click.argument("bundle", type=_FILE)
def show(bundle: Path) -> int:
    """Say what is in BUNDLE."""
    from installer.bundle import archive

    _print(archive.read_manifest(bundle), bundle)
    return 0


def _print(manifest: Any, path: Path) -> None:
    if current().json:
        click.echo(json.dumps({"bundle": str(path), **manifest.as_dict()}, indent=2))
        return
    total = sum(manifest.sizes.values())
    click.echo(
        f"{path}: nodestrap {manifest.nodestrap}, {len(manifest.files)} files, {total / (1 << 20):.0f} MiB"
    )
    click.echo(f"for {', '.join(manifest.targets)}")
    if current().verbosity < 0:
        return
    for component, text in sorted(manifest.components.items()):
        click.echo(f"  {component:32} {text}")
    for name in sorted(manifest.files):
        click.echo(f"  {manifest.sizes[name]:>12}  {name}")
