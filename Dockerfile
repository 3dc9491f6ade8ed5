# One image for every part: sandbox, API, worker and the set-up commands.
FROM node:24-trixie-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
# /data is a volume in docker-compose.yml; what it is mounted over gives it its owner.
RUN mkdir -p /data && chown node:node /data
USER node
CMD ["node", "api/server.ts"]
