"""When and where the stages run: the order, DVC as a process, Prefect's flow, its server and its schedule."""
