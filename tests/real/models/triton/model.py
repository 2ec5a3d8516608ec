"""A toy model for Triton's Python backend: y = 2x, with sleeps where a real model would read weights or compute.

The parameters of config.pbtxt say how it behaves: `load_s` seconds for a load, `infer_ms` milliseconds for an inference,
`fail` ends the load with an error. An input that begins with -1 fails, one that begins with -2 ends the model's process.
"""

import json
import os
import time

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        given = {key: value["string_value"] for key, value in parameters.items()}
        time.sleep(float(given.get("load_s", "0")))
        if given.get("fail"):
            raise MemoryError("the toy model does not fit")
        self.infer_s = float(given.get("infer_ms", "1")) / 1000

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
        time.sleep(self.infer_s)
        first = float(x.flat[0]) if x.size else 0.0
        if first == -1:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("boom"))
        if first == -2:
            os._exit(3)
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("y", x * 2)])
