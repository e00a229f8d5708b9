"""Work on many images at once: on the cores of this machine, or on the machines of a Dask or Ray cluster.

`parallel_backend` says where: "loky" (processes of this machine), "threading" (threads of this one), "dask" or "ray"
(the cluster at `parallel_address`; without an address, one of processes on this machine). Workers on other machines
need this code in their PYTHONPATH, the same packages, and the data set in a folder of the same path:

    dask scheduler                                                      on one machine, prints its address
    PYTHONPATH=/path/to/code dask worker tcp://10.0.0.1:8786 --nthreads 1 --nworkers 8        on each machine
    python3 1_computeRois.py --set parallel_backend=dask parallel_address=tcp://10.0.0.1:8786

Only this process writes files, so a worker may die at any moment and nothing is lost but its time: the images that it
had are given to others, and each comes out once. An image that kills worker after worker is named.
"""

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from helpers.base.errors import UserError

IN_FLIGHT = 4  # images a worker that are handed out or not yet taken back; bounds the memory
MAX_DEATHS = 3  # workers that one image may kill
CONNECT_SECONDS = 30
Function = Callable[[Any], Any]  # from an image to a result
Results = Generator[Any, None, None]  # in the order of the images


def in_parallel(
    function: Function, images: Sequence[Any], params: Any, description: str, threads: bool = False
) -> Results:
    """Yield `function(image)` of each image, in their order, and show a bar.

    Args:
        function: picklable, as a function of a module or a `functools.partial` of one is.
        images: list of `ImageFile`.
        threads: where the work is of this machine, do it in threads, because it hardly needs the interpreter. What
            `function` raises is raised here.

    Raises:
        UserError: where the backend cannot be used, and for an image that killed worker after worker, `MAX_DEATHS` of
            them (on a Dask cluster that runs already, as many as its scheduler allows).
    """
    backend = "threading" if threads and params.parallel_backend == "loky" else params.parallel_backend
    run = {"loky": _in_processes, "threading": _in_threads, "dask": _on_dask, "ray": _on_ray}[backend]
    with contextlib.closing(run(function, images, params.parallel_address)) as results:
        yield from tqdm(results, desc=description, unit="image", total=len(images))


def _cancel(futures: Iterable[Any]) -> None:
    for future in futures:
        if hasattr(future, "cancel"):
            future.cancel()


def _in_order(
    submit: Callable[[Any], Any],
    result_of: Callable[[Any, Any], Any],
    images: Sequence[Any],
    nr_workers: int,
    give_up: Callable[[Iterable[Any]], None] = _cancel,
) -> Results:
    """Yield the results in order, with a bounded number of images handed out.

    Args:
        submit: function of an image that returns a future.
        result_of: function of a future and its image.
        give_up: function of the futures that nobody wants any more, after an error or Ctrl-C.
    """
    waiting: deque[Any] = deque()
    handed_out = 0
    try:
        for image in images:
            while handed_out < len(images) and len(waiting) < IN_FLIGHT * nr_workers:
                waiting.append(submit(images[handed_out]))
                handed_out += 1
            yield result_of(waiting[0], image)
            waiting.popleft()
    finally:
        if waiting:
            give_up(waiting)


def _in_threads(function: Function, images: Sequence[Any], address: str) -> Results:
    nr_workers = joblib.cpu_count()
    with ThreadPoolExecutor(nr_workers) as executor:
        yield from _in_order(_submit_to(executor, function), _plain_result, images, nr_workers)


def _plain_result(future: Any, image: Any) -> Any:
    return future.result()


def _in_processes(function: Function, images: Sequence[Any], address: str) -> Results:
    nr_workers, done = joblib.cpu_count(), 0
    if nr_workers == 1:
        yield from map(function, images)
        return
    while done < len(images):
        executor = _executor(nr_workers)
        rest, submit = images[done:], _submit_to(executor, function)

        def give_up(
            _: Iterable[Any], executor: Any = executor
        ) -> None:  # not future.cancel(): loky would wait for ever for such a future
            executor.shutdown(kill_workers=True)

        try:
            for result in _in_order(submit, _plain_result, rest, nr_workers, give_up):
                yield result
                done += 1
        except BrokenProcessPool:  # one of the images in flight did it, or the system for lack of memory
            for image in images[done : done + IN_FLIGHT * nr_workers]:
                yield _alone(function, image)
                done += 1


def _executor(nr_workers: int) -> Any:
    return get_reusable_executor(nr_workers, timeout=300, initializer=_end_with, initargs=(os.getpid(),))


def _end_with(parent: int) -> None:
    """In a worker: leave Ctrl-C to the process that started it, and end when that one is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name != "nt":  # where a process keeps the number of the one that started it
        threading.Thread(target=watch, daemon=True).start()


def _submit_to(executor: Any, function: Function) -> Callable[[Any], Any]:
    return lambda image: executor.submit(function, image)


def _alone(function: Function, image: Any) -> Any:
    """The result for one image, in a process that works on nothing else meanwhile."""
    for _ in range(MAX_DEATHS):
        try:
            return _executor(1).submit(function, image).result()
        except BrokenProcessPool:
            continue
    raise _deadly(image)


def _deadly(image: Any) -> UserError:
    return UserError(
        f"{image.path}: one process after the other died while working on it, most likely for lack of memory; "
        "look at the image, and make it smaller or take it out"
    )


def _on_dask(function: Function, images: Sequence[Any], address: str) -> Results:
    try:
        from dask import config
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError:
        raise _missing("dask", "dask distributed") from None
    with contextlib.ExitStack() as stack:
        stack.enter_context(config.set({"distributed.scheduler.allowed-failures": MAX_DEATHS - 1}))
        if not address:
            nr_workers = joblib.cpu_count()
            cluster = LocalCluster(n_workers=nr_workers, threads_per_worker=1, dashboard_address=":0")
            address = stack.enter_context(cluster).scheduler_address
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f'parallel_address = "{address}": no Dask cluster with workers there ({reason})') from error

        def submit(image: Any) -> Any:
            return client.submit(function, image, pure=False)

        def result_of(future: Any, image: Any) -> Any:
            try:
                return future.result()
            except KilledWorker:
                raise _deadly(image) from None

        yield from _in_order(submit, result_of, images, sum(client.ncores().values()))


def _on_ray(function: Function, images: Sequence[Any], address: str) -> Results:
    try:
        import ray
    except ImportError:
        raise _missing("ray", "ray") from None
    try:
        ray.init(address=address or None, ignore_reinit_error=True, log_to_driver=False)
    except (OSError, ValueError) as error:
        raise UserError(f'parallel_address = "{address}": no Ray cluster there ({error})') from error
    task = ray.remote(function_runner).options(max_retries=MAX_DEATHS - 1)

    def result_of(future: Any, image: Any) -> Any:
        try:
            return ray.get(future)
        except ray.exceptions.WorkerCrashedError:
            raise _deadly(image) from None
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None

    nr_workers = int(ray.cluster_resources().get("CPU", 1))
    yield from _in_order(lambda image: task.remote(function, image), result_of, images, nr_workers)


def function_runner(function: Function, image: Any) -> Any:
    """What Ray calls: it takes no `functools.partial` itself."""
    return function(image)


def _missing(backend: str, packages: str) -> UserError:
    return UserError(f'parallel_backend = "{backend}" needs more packages: pip install {packages}')
