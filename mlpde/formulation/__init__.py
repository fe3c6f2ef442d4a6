"""From one UFL text to what the solvers need: strong residuals, boundary rows, linearisations, torch functions."""
