"""Functions around activities."""


def before(context, **kwargs):
    print("before", context["name"].rpartition(".")[2])


def after(context, result, **kwargs):
    print("after", context["name"].rpartition(".")[2], result)
