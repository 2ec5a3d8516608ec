"""A model for MLServer that takes a while to load, and tells of it in headers only if its settings say so."""

import asyncio
import time

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


class Toy(MLModel):
    async def load(self) -> bool:
        extra = self.settings.parameters.extra or {}
        began = time.monotonic()
        await asyncio.sleep(extra.get("load_s", 0))
        self.load_ms = (time.monotonic() - began) * 1000
        self.tells, self.first = extra.get("tells", False), True
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        headers = {"X-Model-Cold": str(self.first).lower(), "X-Model-Load-Ms": str(round(self.load_ms))}
        self.first = False
        doubled = [2 * number for number in payload.inputs[0].data]
        output = ResponseOutput(name="y", shape=[len(doubled)], datatype="FP32", data=doubled)
        parameters = Parameters(headers=headers) if self.tells else None
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output], parameters=parameters)
