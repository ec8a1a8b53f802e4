"""What the checks of one run over one endpoint share: connection, host, image, shared pod, what to undo."""

from __future__ import annotations

import secrets
import shlex
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Generic, TypeVar

from installer.verify import cgroup_parent, cluster, gaps, host_pod, kubelet, node_files, shared_pod
from installer.verify.check import NotApplicable
from installer.verify.client import CriClient, CriError
from installer.verify.host import Host, HostError
from installer.verify.options import Options
from installer.verify.pods import Container
from pycri._generated import cri_pb2

T = TypeVar("T")


class Session:
    """One run over one endpoint. Checks that run side by side share it."""

    def __init__(self, cri: CriClient, host: Host, address: str, options: Options) -> None:
        self.cri = cri
        self.cleaner = cri.uninterrupted()
        """The same endpoint, for undoing: an interrupt does not reach it."""
        self.host = host
        self.address = address
        """The endpoint as the host knows it, ``unix:///run/…``."""
        self.options = options
        self.run_id = new_run_id()
        self.made_ids: set[str] = set()
        """Every sandbox and container id that this run made."""
        self.pods_asked_for = False
        self.leftovers: list[str] = []
        self._stack = ExitStack()
        self._outer = ExitStack()
        self._lock = threading.RLock()
        self._directories: set[str] = set()
        self._image_noted = False
        self.brought_image = False
        """Whether the run's image was not there before."""
        self.image = Once(self._pull)
        self.shared = Once(lambda: self._stack.enter_context(shared_pod.open_shared(self)))
        self.host_pod = Once(lambda: self._stack.enter_context(host_pod.open_host_pod(self)))
        self.runtime = Once(self._name_runtime)
        """Name and (major, minor) that the endpoint gives itself."""
        self.predates_runtime_config = Once(self._predates_runtime_config)
        self.cgroup_parent = Once(lambda: cgroup_parent.spell(cri, self.run_id))
        self.kubelet = Once(self._settle_kubelet)
        self.files = Once(lambda: node_files.read(host))
        self.cluster = Once(lambda: cluster.of(host, self.run_id, options.image))

    @property
    def root(self) -> str:
        """The run's directory on the host: on /run, so that a reboot forgets it, whatever happens."""
        return f"/run/nodestrap-verify-{self.run_id}"

    def image_id(self) -> str:
        """The id of the run's image, pulled when it is not there."""
        return str(self.image.get().id)

    def container(self) -> Container:
        """The container that checks which change nothing share."""
        return self.shared.get()

    def host_directory(self, name: str) -> str:
        """A directory of the run's on the host, made when it is not there. Raises HostError."""
        path = f"{self.root}/{name}"
        with self._lock:
            if path not in self._directories:
                self.host.run(f"umask 077 && mkdir -p {shlex.quote(path)}")
                self._directories.add(path)
        return path

    def close_shared(self) -> None:
        """Remove the shared pods; a later check would get new ones."""
        with self._lock:
            self._stack.close()
            self.shared.reset()
            self.host_pod.reset()

    def close(self) -> None:
        """Remove what the run made: the shared pod, the image when it was not there before, directories."""
        self.close_shared()
        if self.cluster.made is not None:
            self.leftovers += self.cluster.made.close()
        if self.brought_image:
            self._remove_image()
        if self._directories:
            try:
                self.host.run(f"rm -rf -- {shlex.quote(self.root)}")
                if self.cgroup_parent.made is not None:
                    cgroup_parent.remove(self.host, self.cgroup_parent.made)
            except HostError as error:
                self.leftovers.append(str(error))
        try:
            self._outer.close()
        except HostError as error:
            self.leftovers.append(str(error))

    def _settle_kubelet(self) -> bool:
        """See that no kubelet removes our pods. Raises NotApplicable, HostError."""
        if self.options.pause_kubelet and self.host.refusal is None:
            self._outer.enter_context(kubelet.paused(self.host))
        kubelet.refuse_beside_kubelet(self.host, self.address.removeprefix("unix://"))
        return True

    def _name_runtime(self) -> tuple[str, tuple[int, int]]:
        answer = self.cri.runtime.Version(cri_pb2.VersionRequest(version="v1"))
        return answer.runtime_name, gaps.version_of(answer.runtime_version)

    def _predates_runtime_config(self) -> bool:
        try:
            self.cri.runtime.RuntimeConfig(cri_pb2.RuntimeConfigRequest())
        except CriError as error:
            if error.code != "UNIMPLEMENTED":
                raise
            return True
        return False

    def _remove_image(self) -> None:
        """By its id, so that every name that the run pulled it under goes with it."""
        spec = cri_pb2.ImageSpec(image=self.options.image)
        try:
            image = self.cleaner.image.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
            if image.id:
                by_id = cri_pb2.ImageSpec(image=image.id)
                self.cleaner.image.RemoveImage(cri_pb2.RemoveImageRequest(image=by_id))
        except CriError as error:
            self.leftovers.append(f"image {self.options.image}: {error}")

    def note_image(self) -> Any:
        """Look the image up before anything pulls it; what was not there is removed again at the end."""
        spec = cri_pb2.ImageSpec(image=self.options.image)
        image = self.cri.image.ImageStatus(cri_pb2.ImageStatusRequest(image=spec)).image
        with self._lock:
            if not image.id and not self._image_noted:
                self.brought_image = True
            self._image_noted = True
        return image

    def _pull(self) -> Any:
        spec = cri_pb2.ImageSpec(image=self.options.image)
        status = cri_pb2.ImageStatusRequest(image=spec)
        image = self.note_image()
        if not image.id:
            self.cri.image.PullImage(cri_pb2.PullImageRequest(image=spec))
            image = self.cri.image.ImageStatus(status).image
        return image


def new_run_id() -> str:
    """Names a run's pods, files and cgroup."""
    return secrets.token_hex(4)


class Once(Generic[T]):
    """A value made on first use. The first user meets the failure; the others are skipped, naming it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self._value: T | None = None
        self._error: Exception | None = None

    def get(self) -> T:
        """The value. Raises what making it raised, once; NotApplicable after that."""
        with self._lock:
            if isinstance(self._error, NotApplicable):
                raise NotApplicable(str(self._error))
            if self._error is not None:
                raise NotApplicable(f"it needs what failed before: {self._error}")
            if self._value is None:
                try:
                    self._value = self._make()
                except Exception as error:
                    self._error = error
                    raise
            return self._value

    @property
    def made(self) -> T | None:
        """The value if it was made."""
        return self._value

    def reset(self) -> None:
        """Forget the value."""
        with self._lock:
            self._value = self._error = None
