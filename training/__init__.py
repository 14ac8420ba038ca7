"""From logged decisions to a champion."""
