print("agent_name")
