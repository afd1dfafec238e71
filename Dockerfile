# docker build -t minidns:dev .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY minidns ./minidns
RUN python -m venv --without-pip /opt/minidns \
 && pip --python /opt/minidns/bin/python install --no-cache-dir .

FROM python:${PYTHON}-slim
# Nothing is installed here: what builds stays in the stage above. The interpreter's pip goes, and so does every set-user-ID
# bit. The root may be read-only (nothing is written but what --state names), so its bytecode is written now.
RUN pip uninstall --yes --root-user-action=ignore pip \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/minidns /opt/minidns
ENV PATH=/opt/minidns/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
# 8080 is for probes and Prometheus. Everything else that HTTP tells is on the container's own loopback:
# docker exec NAME minidns status, explain, watch.
EXPOSE 53/udp 53/tcp 8080/tcp
ENTRYPOINT ["minidns"]
CMD ["serve", "--listen", ":53", "--probes", ":8080"]
