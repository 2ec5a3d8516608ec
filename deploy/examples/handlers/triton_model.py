"""A model for Triton's Python backend that tells how long its features took. Triton gives a model no way to set a response header, so
that weir cannot keep the number; Triton's own metrics page can (pb_utils.MetricFamily), as a sum and a count by model.
"""

import time

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        labels = {"model": args["model_name"], "version": args["model_version"]}
        counter = pb_utils.MetricFamily.COUNTER
        self.families = [  # they must outlive their metrics
            pb_utils.MetricFamily("model_feature_seconds_total", "Time that features took.", counter),
            pb_utils.MetricFamily("model_feature_extractions_total", "Times that features were made.", counter),
        ]
        self.seconds, self.count = (family.Metric(labels=labels) for family in self.families)

    def execute(self, requests):
        answers = []
        for request in requests:
            began = time.perf_counter()
            features = pb_utils.get_input_tensor_by_name(request, "x").as_numpy() + 1  # stands for yours
            self.seconds.increment(time.perf_counter() - began)
            self.count.increment(1)
            answers.append(pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("y", features * 2)]))
        return answers
