// The store's Worker: answers one request at a time, in order, from the side that holds the Store port (src/store/open.ts).

import { DavitError } from "../../src/core/model/errors.ts";
import type { StoreReply, StoreRequest } from "../../src/store/messages.ts";
import { storageError } from "./storage-error.ts";
import { StoreDatabase } from "./store-database.ts";

declare const self: Worker;

let database: StoreDatabase | undefined;
let path = "the database";

self.onmessage = (event: MessageEvent<StoreRequest>) => {
  const request = event.data;
  self.postMessage(answer(request));
};

function answer(request: StoreRequest): StoreReply {
  try {
    return { id: request.id, ok: true, value: run(request) };
  } catch (thrown) {
    const { code, message, wayOut } = thrown instanceof DavitError ? thrown : storageError(thrown, path);
    return { id: request.id, ok: false, code, message, ...(wayOut === undefined ? {} : { wayOut }) };
  }
}

function run(request: StoreRequest): unknown {
  if (request.call === "open") {
    path = `${request.dataDir}/davit.db`;
    database = new StoreDatabase(request.dataDir);
    return database.pragmas();
  }
  if (database === undefined) throw new DavitError("internal", "use the store: it is not open");
  switch (request.call) {
    case "load":
      return database.load();
    case "beginEpoch":
      return database.beginEpoch(request.next, request.atMs);
    case "commit":
      return database.commit(request.commit);
    case "putSetting":
      return database.putSetting(request.epoch, request.name, request.value);
    case "events":
      return database.events(request.sinceSeq, request.limit);
    case "audit":
      return database.audit(request.sinceSeq, request.limit);
    case "close":
      database.close();
      database = undefined;
      return undefined;
  }
}
