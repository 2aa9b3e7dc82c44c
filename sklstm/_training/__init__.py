"""From checked data to a trained net; the only room that knows skorch.

Begin with `_train`. `_config` holds what decides a net, `_data` what it learns from,
`_scaling` the scale of its targets, `_net` the skorch net, `_make_net` its construction and
`_callbacks` what listens to it; `_state` saves a net, `_resume` and `_identity` continue a
killed fit.
"""
