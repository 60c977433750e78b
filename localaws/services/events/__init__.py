"""Amazon EventBridge: rules, targets and events, delivered to their targets in the background.

Amazon EventBridge API Reference, the page of each operation. pattern.py: event patterns; delivery.py: targets;
input.py: what a target receives; schedule.py: when a rule is due. moto answers for event buses and their policies.

Other services announce events with service.emit(). Every delivery is kept, failed ones with their reason (AWS counts
them only: cloudwatch/event_rules.py): service.deliveries(cloud).
"""
