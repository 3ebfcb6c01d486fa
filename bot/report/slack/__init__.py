"""What there is to say, as Slack shows it: messages, views and answers within Slack's limits. Pure; knows no connection."""
