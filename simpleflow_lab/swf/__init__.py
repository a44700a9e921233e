"""SWF's own words as data: event types, histories, entities, decisions, limits. Imports nothing of ours but errors."""
