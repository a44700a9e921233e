# Simpleflow Lab as an image: the command `simpleflow`, for a user who is not root. script/docker-build and
# script/docker-run build and run it.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-deps --no-cache-dir --wheel-dir /wheels .

FROM python:3.13-slim
# Extras of pyproject.toml: "lab" for JupyterLab.
ARG EXTRAS=""
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN wheel=$(echo /wheels/*.whl) \
 && python -m pip install --no-cache-dir --root-user-action=ignore -c /wheels/constraints.txt "${wheel}${EXTRAS:+[$EXTRAS]}" \
 && rm -r /wheels \
 && useradd --create-home --uid 1000 lab \
 && install -d -o lab -g lab /home/lab/work \
 && install -d -o lab -g lab -m 700 /home/lab/.local/share/simpleflow_lab
USER lab
# The user's modules; the user's store is in the volume.
WORKDIR /home/lab/work
VOLUME /home/lab/.local/share/simpleflow_lab
ENV PYTHONUNBUFFERED=1
# SIGTERM of `docker stop` lets deciders and workers finish what they have in progress; give them time with --stop-timeout.
ENTRYPOINT ["simpleflow"]
CMD ["help"]
