"""Rendered scenes and pages whose words depend, more or less, on what else is to be seen."""
