// Handlers: tokens of users, logins to registries.

import { issueUserToken } from "../../auth/user-tokens.ts";
import { putRegistryLogin, removeRegistryLogin } from "../../core/commands/registries.ts";
import { createToken, revokeToken } from "../../core/commands/tokens.ts";
import type { UserToken } from "../../core/model/records.ts";
import type { TokenView } from "../../core/model/views.ts";
import { type Api, bind, mutate } from "../bind.ts";
import * as routes from "../routes/access.ts";
import { registryView, tokenView } from "../views/records.ts";

export function bindAccess(api: Api): void {
  const { parts } = api;
  const { backend, options } = parts;
  const view = (token: UserToken): TokenView => tokenView(token, backend.tokenLastUsedMs(token.id));

  bind(api, routes.listTokens, () =>
    [...backend.world().state.userToken.values()].map(view).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1)),
  );
  bind(api, routes.createToken, async ({ body, actor }) => {
    const { result } = await mutate(parts, actor, "token.create", createToken(body));
    const [cluster] = backend.world().state.cluster.values();
    return { ...view(result), token: await issueUserToken(options.signer, cluster?.id ?? "", result) };
  });
  bind(api, routes.revokeToken, async ({ params, actor }) =>
    view((await mutate(parts, actor, "token.revoke", revokeToken(params.ref))).result),
  );

  bind(api, routes.listRegistries, () =>
    [...backend.world().state.registryLogin.values()].map(registryView).sort((a, b) => (a.host < b.host ? -1 : 1)),
  );
  bind(api, routes.putRegistry, async ({ params, body, actor }) => {
    const login = {
      host: decodeURIComponent(params.host),
      username: body.username,
      sealedPassword: backend.seal(body.password),
    };
    return registryView((await mutate(parts, actor, "registry.login", putRegistryLogin(login))).result);
  });
  bind(api, routes.removeRegistry, async ({ params, actor }) => {
    await mutate(parts, actor, "registry.logout", removeRegistryLogin(decodeURIComponent(params.host)));
    return undefined;
  });
}
