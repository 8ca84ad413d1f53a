#!/usr/bin/env python3
"""A log store for the demo: takes Loki pushes, prints each line, and remembers why checks failed.

    loki_receiver.py PORT    POST /loki/api/v1/push    GET /last?job=JOB (last line with a reason)
"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

last_reason = {}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def unsnap(data):
    """Snappy's block format."""
    size, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:  # literal
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at:at + extra], "little")
                at += extra
            out += data[at:at + length + 1]
            at += length + 1
            continue
        if tag & 3 == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            width = 2 if tag & 3 == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
            at += width
        for _ in range(length):
            out.append(out[-offset])
    assert len(out) == size
    return bytes(out)


def fields(data):
    """The fields of a protobuf message: (number, value)."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 2:
            size, at = varint(data, at)
            yield key >> 3, data[at:at + size]
            at += size
        elif key & 7 == 0:
            value, at = varint(data, at)
            yield key >> 3, value
        else:
            raise ValueError("unexpected wire type")


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = unsnap(self.rfile.read(int(self.headers["Content-Length"])))
        for _, stream in fields(body):
            parts = list(fields(stream))
            job = next(value for number, value in parts if number == 1).decode().split('job="')[1].split('"')[0]
            for number, entry in parts:
                if number != 2:
                    continue
                line = dict(fields(entry))[2].decode().rstrip("\n")
                print(line, flush=True)
                if " reason=" in line:
                    last_reason[job] = line
        self.answer(204)

    def do_GET(self):
        job = parse_qs(urlparse(self.path).query).get("job", [""])[0]
        self.answer(200, last_reason.get(job, "").encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
