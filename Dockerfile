# Builds with docker, podman or buildah:  docker build -t llm-gateway .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The build that users make: Caddy at the version of go.mod, with this checkout.
ENV CGO_ENABLED=0 GOFLAGS=-trimpath XCADDY_GO_BUILD_FLAGS="-ldflags=-s -ldflags=-w"
RUN go tool xcaddy build "$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)" \
      --output /out/caddy --with github.com/openova-io/llm-gateway@v0.0.0=.
# A configuration that does not load never becomes an image.
RUN INTERNAL_LLM_URL=http://vllm:8000/v1 QUOTA_REDIS_URL=redis://valkey:6379 KEYCLOAK_URL=https://sso.example.com/realms/ai-hub \
      /out/caddy validate --config Caddyfile.example --adapter caddyfile
# What Caddy writes lives here, owned by the one user of the image.
RUN mkdir -p /out/data /out/config /out/run

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/caddy /usr/bin/caddy
COPY --from=build /src/Caddyfile.example /etc/caddy/Caddyfile
COPY --from=build --chown=65534:65534 /out/data /data
COPY --from=build --chown=65534:65534 /out/config /config
COPY --from=build --chown=65534:65534 /out/run /run/llm-gateway
ENV XDG_DATA_HOME=/data XDG_CONFIG_HOME=/config
USER 65534:65534
EXPOSE 8000 9090
ENTRYPOINT ["/usr/bin/caddy"]
CMD ["run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
