"""The table of request shapes against botocore's model of SWF, and the protocol against both."""

from __future__ import annotations

import inspect
import re

import botocore.session
import pytest
from botocore.model import ServiceModel, Shape

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.service.protocol import SWFService
from simpleflow_lab.swf import shapes


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    return botocore.session.Session().get_service_model("swf")


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def members(shape: Shape) -> dict[str, tuple[str, bool]]:
    return {name: (member.name, name in shape.required_members) for name, member in shape.members.items()}


def parsed(text: str) -> dict[str, tuple[str, bool]]:
    pairs = (member.split(":") for member in text.split())
    return {name.rstrip("*"): (shape, name.endswith("*")) for name, shape in pairs}


def test_the_table_has_the_operations_of_the_model(model: ServiceModel) -> None:
    assert sorted(shapes.OPERATIONS) == sorted(model.operation_names)
    for name, text in shapes.OPERATIONS.items():
        assert parsed(text) == members(model.operation_model(name).input_shape), name


def test_structures_strings_enums_and_lists_are_those_of_the_model(model: ServiceModel) -> None:
    for name, text in shapes.STRUCTURES.items():
        assert parsed(text) == members(model.shape_for(name)), name
    for name, (least, greatest) in shapes.STRINGS.items():
        metadata = model.shape_for(name).metadata
        assert (least, greatest) == (metadata.get("min", 0), metadata.get("max")), name
    for name, values in shapes.ENUMS.items():
        assert list(values) == model.shape_for(name).enum, name
    for name, bounds in shapes.INTEGERS.items():
        metadata = model.shape_for(name).metadata
        assert bounds == (metadata.get("min"), metadata.get("max")), name
    for name, (item, least, greatest) in shapes.LISTS.items():
        shape = model.shape_for(name)
        assert (item, least, greatest) == (shape.member.name, shape.metadata.get("min"), shape.metadata.get("max"))


def test_the_times_of_responses_are_those_of_the_model(model: ServiceModel) -> None:
    found: dict[str, tuple[str, ...]] = {}
    for name in model.operation_names:
        output = model.operation_model(name).output_shape
        for member, shape in ({} if output is None else output.members).items():
            structure = shape.member if shape.type_name == "list" else shape
            inner = getattr(structure, "members", {})
            times = tuple(each for each, of in inner.items() if of.type_name == "timestamp")
            deeper = [
                of
                for of in inner.values()
                for each in getattr(of, "members", {}).values()
                if each.type_name == "timestamp"
            ]
            assert deeper == [], "no time is nested deeper than the table can say"
            if times or shape.type_name == "timestamp":
                assert found.setdefault(member, times) == times
    assert found == shapes.RESPONSE_TIMES


@pytest.mark.parametrize("name", sorted(shapes.OPERATIONS))
def test_the_protocol_takes_what_the_model_takes_and_the_engine_has_it(name: str, model: ServiceModel) -> None:
    method = getattr(SWFService, snake_case(name))
    arguments = {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self"
    }
    expected = members(model.operation_model(name).input_shape)
    assert arguments == {name: required for name, (_, required) in expected.items()}
    assert callable(getattr(EmbeddedSWF, snake_case(name)))
