"""An RTSP camera that sends a transport stream over TCP (RFC 2326, 10.12: interleaved; RFC 2250: MPEG-TS in RTP)."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track0\r\n"
_ANSWERS = {
    "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
    "DESCRIBE": ("Content-Type: application/sdp\r\n", _SDP),
    "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
    "PLAY": ("Session: 1\r\n", ""),
}
_PACKET = 7 * 188
_MPEG_TS = 33


@contextmanager
def rtsp_camera(data: bytes, *, stays_open: threading.Event | None = None) -> Iterator[str]:
    """Serve `data` to one client; the address ends in "live.ts".

    Args:
        data: an MPEG transport stream.
        stays_open: after the data the camera says nothing more until this is set; without it, it hangs up.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, data, stays_open))
        thread.start()
        yield f"rtsp://me:secret@127.0.0.1:{server.getsockname()[1]}/live.ts"
        if stays_open is not None:
            stays_open.set()
        thread.join()


def _serve(server: socket.socket, data: bytes, stays_open: threading.Event | None) -> None:
    server.settimeout(20)
    with server.accept()[0] as connection, connection.makefile("rwb") as wire:
        for line in wire:
            method, fields = line.split()[0].decode(), dict(_fields(wire))
            if method not in _ANSWERS:
                return
            head, body = _ANSWERS[method]
            sequence = f"CSeq: {fields['cseq']}\r\nContent-Length: {len(body)}\r\n"
            wire.write(f"RTSP/1.0 200 OK\r\n{sequence}{head}\r\n{body}".encode())
            wire.flush()
            if method == "PLAY":
                _play(wire, data)
                if stays_open is not None:
                    stays_open.wait(20)
                return


def _fields(wire) -> Iterator[tuple[str, str]]:
    for line in wire:
        name, colon, value = line.decode().strip().partition(":")
        if not colon:
            return
        yield name.lower(), value.strip()


def _play(wire, data: bytes) -> None:
    for number, start in enumerate(range(0, len(data), _PACKET)):
        packet = struct.pack(">BBHII", 0x80, _MPEG_TS, number & 0xFFFF, number * 900, 1) + data[start : start + _PACKET]
        try:
            wire.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            wire.flush()
        except OSError:
            return  # the client has enough
