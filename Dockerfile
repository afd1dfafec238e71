# docker build -t minidns:dev .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY minidns ./minidns
RUN python -m venv --without-pip /opt/minidns \
 && pip --python /opt/minidns/bin/python install --no-cache-dir .

FROM python:${PYTHON}-slim
# Nothing is installed here: what builds stays in the stage above, and the interpreter's pip goes.
RUN pip uninstall --yes --root-user-action=ignore pip
COPY --from=build /opt/minidns /opt/minidns
ENV PATH=/opt/minidns/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 53/udp 53/tcp 8053/tcp
ENTRYPOINT ["minidns"]
CMD ["serve", "--listen", ":53", "--admin", ":8053"]
