"""Calls Triton's gRPC API with NVIDIA's own client: triton_grpc.py ADDRESS CA|- STEP…

With a CA file the connection is TLS. Each STEP prints one line of JSON:
  load:M  unload:M       the repository API
  infer:M[:X]            a unary call; X is the input's first number (-1 makes the toy model fail)
  stream:M[,M…]          one stream with an inference for each M, all sent before the first answer is read
"""

import json
import queue
import sys

import numpy
import tritonclient.grpc as triton


def main(address, ca, steps):
    tls = {} if ca == "-" else {"ssl": True, "root_certificates": ca}
    with triton.InferenceServerClient(address, **tls) as client:
        for step in steps:
            verb, _, rest = step.partition(":")
            print(json.dumps(VERBS[verb](client, rest)), flush=True)


def load(client, model):
    return answered(lambda: client.load_model(model, client_timeout=30))


def unload(client, model):
    return answered(lambda: client.unload_model(model, client_timeout=30))


def infer(client, rest):
    model, _, first = rest.partition(":")
    return answered(lambda: values(client.infer(model, inputs(float(first or "1")), client_timeout=30)))


def stream(client, models):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)), stream_timeout=30)
    models = models.split(",")
    for model in models:
        client.async_stream_infer(model, inputs(1.0))
    got = [answers.get(timeout=30) for _ in models]
    client.stop_stream()
    return [str(error) if error else values(result) for result, error in got]


def answered(call):
    """What a call gives, or its status."""
    try:
        return {"status": "StatusCode.OK", "value": call()}
    except triton.InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}


def inputs(first):
    tensor = triton.InferInput("x", [1, 2], "FP32")
    tensor.set_data_from_numpy(numpy.array([[first, 2.0]], dtype=numpy.float32))
    return [tensor]


def values(result):
    return result.as_numpy("y").flatten().tolist()


VERBS = {"load": load, "unload": unload, "infer": infer, "stream": stream}
main(sys.argv[1], sys.argv[2], sys.argv[3:])
