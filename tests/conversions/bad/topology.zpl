version: 1
devices: {}
