"""Fletcher says why a LiveKit room has no agent.

The house reads what a person has at hand (logs, pasted lines, configuration, source), reduces it to what happened to
each room and each worker, and judges that. What comes in at the doors is looked at (`evidence`, `source`), understood
(`livekit`), judged (`diagnose`) and told (`report`); imports run only in that direction. Looking changes nothing.
"""

__version__ = "0.1.0"
