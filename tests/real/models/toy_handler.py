"""A toy model for MMS and TorchServe: it sleeps where a real model would read weights or compute.

`toy.json` in the model's folder says how it behaves:
  load_s   seconds that a load takes
  infer_ms milliseconds that an inference takes
  fail     "memory" or "error": what the load ends with instead of a model
  headers  true: says in response headers whether this start was cold and how long its load took (stock servers never say)

A body that contains "boom" raises, "oom" runs out of memory and "die" ends the worker; everything else is counted.
`handle` stands at module level on purpose: only then does MMS report a failed load to the caller.
"""

import json
import os
import time


class Toy:
    def __init__(self):
        self.cfg = {}
        self.load_ms = 0.0
        self.answered = 0

    def load(self, context):
        folder = context.system_properties.get("model_dir")
        with open(os.path.join(folder, "toy.json"), encoding="utf-8") as text:
            self.cfg = json.load(text)
        began = time.monotonic()
        time.sleep(self.cfg.get("load_s", 0))
        self.load_ms = (time.monotonic() - began) * 1000
        if self.cfg.get("fail") == "memory":
            raise MemoryError("the toy model does not fit")
        if self.cfg.get("fail") == "error":
            raise RuntimeError("the toy model is broken")

    def answer(self, body):
        time.sleep(self.cfg.get("infer_ms", 1) / 1000)
        if "boom" in body:
            raise RuntimeError("boom")
        if "oom" in body:
            raise MemoryError("oom")
        if "die" in body:
            os._exit(3)
        self.answered += 1
        return {"bytes": len(body), "answered": self.answered, "pid": os.getpid()}


TOY = Toy()


def text_of(row):
    body = row.get("body") or row.get("data") or b""
    if isinstance(body, (bytes, bytearray)):
        return body.decode()
    return body if isinstance(body, str) else json.dumps(body)


def handle(rows, context):
    if rows is None:  # how both servers ask for the load
        TOY.load(context)
        return None
    answers = []
    for index, row in enumerate(rows):
        cold = TOY.answered == 0
        answers.append(TOY.answer(text_of(row)))
        if TOY.cfg.get("headers"):
            context.set_response_header(index, "X-Model-Cold", "true" if cold else "false")
            context.set_response_header(index, "X-Model-Load-Ms", f"{TOY.load_ms if cold else 0:.0f}")
    return answers
