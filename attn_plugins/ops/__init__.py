"""Pure tensor functions shared by the layers: layers hold structure and parameters, ops hold arithmetic."""
