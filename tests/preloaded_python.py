"""A Python that has imported the packages already: each script runs in a fork of it, which saves seconds a script.

python preloaded_python.py SOCKET                      the server
python -IS preloaded_python.py SOCKET run SCRIPT ...   run a script, `-c CODE` or `-m MODULE` as python would
"""

import array
import json
import os
import runpy
import socket
import sys
import traceback

PACKAGES = ("torch", "torchvision", "cv2", "sklearn.svm", "scipy.ndimage", "matplotlib.figure", "PIL.Image", "tqdm")
STREAMS = (0, 1, 2)


def serve(path):
    """Fork for each request, for ever."""
    for name in PACKAGES:
        __import__(name)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + ".new")
    server.listen(16)
    os.rename(path + ".new", path)  # there only once it answers
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            _answer(connection)
        connection.close()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            continue


def _answer(connection):
    """In a fork: become the process that was asked for, and say how it ended."""
    text, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * 4))
    streams = array.array("i")
    streams.frombytes(ancillary[0][2][: 3 * streams.itemsize])
    for stream, number in zip(streams, STREAMS, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    request = json.loads(text)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    code = 0
    try:
        _run(request["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        code = 1
        if sys.excepthook is sys.__excepthook__:
            traceback.print_exc()
        else:
            sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    connection.sendall(str(code).encode())
    os._exit(code)


def _run(words):
    kind, *arguments = words
    if kind == "-c":
        sys.argv = ["-c", *arguments[1:]]
        sys.path.insert(0, "")
        exec(compile(arguments[0], "<string>", "exec"), {"__name__": "__main__"})
    elif kind == "-P":  # python -P -m MODULE ...
        module = arguments[1]
        sys.argv = arguments[1:]
        sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, os.path.dirname(os.path.abspath(kind)))
        runpy.run_path(kind, run_name="__main__")


def ask(path, words):
    """Let the server run it with this process's streams, folder and environment; returns the exit code."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    request = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(connection, [json.dumps(request).encode()], list(STREAMS))
    return int(connection.recv(16) or 139)  # nothing: it was killed


if __name__ == "__main__":
    if sys.argv[2:3] == ["run"]:
        sys.exit(ask(sys.argv[1], sys.argv[3:]))
    serve(sys.argv[1])
