"""Amazon CloudWatch: metrics, alarms and dashboards. moto holds them and answers its operations.

An alarm's state is computed from its data points, and a change of it sends an event and notifies its topics
(alarms.py, from "Alarm evaluation" in the Amazon CloudWatch User Guide). own_metrics.py publishes what services
measure of themselves, event_rules.py what EventBridge does; metrics.py says how old a data point is. Not supported:
metric math, anomaly detection, composite alarms, actions other than topics and functions.
"""
