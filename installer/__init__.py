"""nodestrap: turns bare Linux hosts into verified Kubernetes nodes."""
