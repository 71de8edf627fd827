"""ISO 15118-20 as data: one set of rules per protocol that is negotiated, made of the rows that all share (`common`)
and those of its energy mode; `services` has the numbers and names of what is offered and selected."""
