"""The model behind HTTP: FastAPI on onnxruntime, texts of many requests answered in one batch."""
