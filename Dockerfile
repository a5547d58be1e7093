# The app as a container: docker build -t nest-cloud-tasks .
#
# On Cloud Run it uses Google Cloud Tasks, and takes these settings; it refuses to start rather than
# stand open, and docs/security.md tells why each is safe:
#   PROJECT_ID=YOUR_PROJECT
#   SERVICE_URL=https://app-YOUR_PROJECT.a.run.app
#   SERVICE_ACCOUNT=tasks@YOUR_PROJECT.iam.gserviceaccount.com
#   PRODUCER_AUTH=api-key
#   PRODUCER_KEYS_FILE=/secrets/producer-keys.json
# The last is a secret that is mounted as a file: what `npx nest-cloud-tasks keys create` has written.
# Where the service requires authentication, AUTH_MODE=cloud-run-iam comes to these.
#
# Anywhere else it runs the embedded queue, which listens on loopback only, so on your own machine:
#   docker run --rm --network host -v nest-cloud-tasks:/app/.data nest-cloud-tasks

FROM node:24-slim AS build
WORKDIR /app
# First what changes rarely, so that an edit of src/ does not install everything again.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json nest-cli.json ./
COPY src/ src/
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# Owned by root, so that the app can't change itself; only the queue's data is its own.
COPY --from=build /app/node_modules/ node_modules/
COPY --from=build /app/dist/ dist/
COPY package.json LICENSE tasks.config.yaml ./
RUN mkdir .data && chown node:node .data
USER node
EXPOSE 8080
# The app drains on SIGTERM: dispatching stops, what is in flight gets its time.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1: npm in between would not pass the signal on.
CMD ["node", "dist/main.js"]
