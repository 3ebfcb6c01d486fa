"""The durable run: one engine behind every door, which only submits an order or a decision. Only here is dbos known."""
