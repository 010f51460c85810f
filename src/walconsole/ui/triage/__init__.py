"""The triage screen's parts: what each pane shows, as rows; nothing of widgets."""
