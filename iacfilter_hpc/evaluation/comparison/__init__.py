"""Put systems side by side on the same samples: tables, tests, costs, a report to show."""
