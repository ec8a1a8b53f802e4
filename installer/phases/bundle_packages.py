"""Put a bundle's OS packages on the hosts, as the one repository that their package manager is to use."""

from __future__ import annotations

from installer.phases.base import Phase
from installer.phases.runtime import converge
from installer.run import Run


class BundlePackages(Phase):
    name = "packages"
    stage = "artifacts"
    title = "Packages of the bundle"

    def should_run(self, run: Run) -> bool:
        return any("os_packages_artifact" in run.host_variables.get(host.name, {}) for host in run.active)

    def run(self, run: Run) -> None:
        converge(run, "bundle_packages.yml", check=False)

    def dry_run(self, run: Run) -> None:
        converge(run, "bundle_packages.yml", check=True)
