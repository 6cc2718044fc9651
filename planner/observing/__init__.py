"""What has happened: counts by provider and day, and what they ask for the morning after."""
