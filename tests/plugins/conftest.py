import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn


@pytest.fixture(scope="session")
def answering():
    """`with answering(app) as url`: an ASGI app on a real socket, for as long."""

    @contextmanager
    def answer(app):
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            deadline = time.monotonic() + 10
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)

    return answer
