"""Asks a server of KServe's protocol v2 over gRPC with Triton's client: kserve_grpc.py HOST:PORT MODEL TIMES

Prints a line of JSON: what the model answered to [1, 2], each time.
"""

import json
import sys

import numpy
import tritonclient.grpc as grpc


def main(url, model, times):
    client = grpc.InferenceServerClient(url)
    numbers = grpc.InferInput("x", [2], "FP32")
    numbers.set_data_from_numpy(numpy.array([1, 2], dtype=numpy.float32))
    answers = [client.infer(model, [numbers]).as_numpy("y").tolist() for _ in range(times)]
    print(json.dumps(answers))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
