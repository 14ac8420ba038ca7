"""Roles: what the holder of a key may do."""

from enum import StrEnum


class Role(StrEnum):
    """Who is asking.

    ``serving.security`` says which route takes which roles.
    """

    SERVICE = "service"
    """A program of the tenant: the CRM."""
    REP = "rep"
    """A salesperson; sees own leads only."""
    MANAGER = "manager"
    """Assigns, transfers, sees the team."""
    ANALYST = "analyst"
    """Reads everything without names: data scientists."""
    ADMIN = "admin"
    """Keys, rules, pools, webhooks, erasure."""
