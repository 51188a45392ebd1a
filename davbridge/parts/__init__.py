"""The parts that `davbridge.app` puts together: each module makes one of them from the configuration."""
