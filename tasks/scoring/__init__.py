"""From predictions to judgement. Never imports torch."""
